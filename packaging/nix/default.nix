{ lib, python3Packages, fetchPypi }:

python3Packages.buildPythonApplication rec {
  pname = "demask";
  version = "0.1.0";
  pyproject = true;

  src = fetchPypi {
    inherit pname version;
    hash = lib.fakeHash; # Set at release.
  };

  build-system = [ python3Packages.hatchling ];
  dependencies = with python3Packages; [ numpy pillow opencv4 onnxruntime typer rich ];
  # nixpkgs' OpenCV has another distribution name; where pyjpegio is missing, JPEGs are encoded anew.
  pythonRemoveDeps = [ "opencv-python-headless" "pyjpegio" ];

  pythonImportsCheck = [ "demask" "demask.remover" ];

  meta = {
    description = "Take face masks off photographs; the lower face that comes out is invented";
    license = lib.licenses.asl20;
    mainProgram = "demask";
  };
}
