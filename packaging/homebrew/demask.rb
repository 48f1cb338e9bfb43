class Demask < Formula
  include Language::Python::Virtualenv

  desc "Take face masks off photographs; the lower face that comes out is invented"
  homepage "https://pypi.org/project/demask/"
  url "https://pypi.org/packages/source/d/demask/demask-0.1.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000" # Set at release.
  license "Apache-2.0"

  depends_on "numpy"
  depends_on "onnxruntime"
  depends_on "opencv"
  depends_on "pillow"
  depends_on "python@3.13"

  # `brew update-python-resources demask` writes the resources of typer and rich here.

  def install
    virtualenv_install_with_resources(system_site_packages: true)
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/demask --version")
    system bin/"demask", "doctor"
  end
end
