/**
 * The networks in onnxruntime-web: on the graphics card where there is one, else in WebAssembly.
 *
 * Sizes and names of inputs and outputs are the networks' own.
 */

/** What makes the sessions of the networks; `ort` is onnxruntime-web's module. */
export class Networks {
  #ort;
  #sessions = {};
  #graphs;
  #onFallback;

  /**
   * `graphs` are the networks' files as Uint8Arrays: {finder, hole, restorer}; `provider` is "webgpu" or "wasm";
   * `onFallback` is told when the graphics card is lost and WebAssembly goes on.
   */
  constructor(ort, graphs, provider, onFallback = () => {}) {
    this.#ort = ort;
    this.#graphs = graphs;
    this.provider = provider;
    this.#onFallback = onFallback;
  }

  /** Boxes, points and scores of every cell of a picture. */
  find = async (picture) => {
    const { boxes, points, scores } = await this.#run("finder", ["photo"], [picture]);
    return { boxes: boxes.data, points: points.data, scores: scores.data };
  };

  /** How covered each pixel of a crop is. */
  cover = async (crop) => {
    const { coverage } = await this.#run("hole", ["crop"], [crop]);
    return { width: crop.width, height: crop.height, channels: 1, data: coverage.data };
  };

  /** The whole crop, drawn; what is under the hole must be blank. */
  restore = async (crop, hole) => {
    const { restored } = await this.#run("restorer", ["masked", "hole"], [crop, hole]);
    return { ...crop, data: restored.data };
  };

  /** Whether a network leaves the size of its crops open, and so takes those of the wide window too. */
  takesWide = async (name) => {
    const [{ shape }] = (await this.#session(name)).inputMetadata;
    return typeof shape?.[1] !== "number";
  };

  async #run(name, inputs, pictures) {
    const feed = {};
    inputs.forEach((input, i) => {
      const { width, height, channels, data } = pictures[i], dims = [1, height, width];
      feed[input] = new this.#ort.Tensor("uint8", data, channels > 1 ? [...dims, channels] : dims);
    });
    try {
      return await (await this.#session(name)).run(feed);
    } catch (error) {
      if (this.provider === "wasm") throw error;
      // The card is lost, or it cannot do this network: the processor can.
      this.provider = "wasm";
      this.#sessions = {};
      this.#onFallback(String(error));
      return await (await this.#session(name)).run(feed);
    }
  }

  #session(name) {
    const options = { executionProviders: [this.provider], graphOptimizationLevel: "all", logSeverityLevel: 3 };
    this.#sessions[name] ??= this.#ort.InferenceSession.create(this.#graphs[name], options);
    return this.#sessions[name];
  }
}
