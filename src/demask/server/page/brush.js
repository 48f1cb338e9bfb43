/** The brush that corrects the hole: its width and what it does. */

import { placeBrush } from "./stage.js";
import { $, state } from "./state.js";
import { t } from "./texts.js";

/** Brush width in pixels of the photo; the slider is logarithmic, so small ones can be set as well. */
export const brushRange = () => [2, Math.max(16, Math.min(state.width, state.height) / 2)];

export function setBrush(pixels) {
  const [least, most] = brushRange();
  state.brush = Math.round(Math.min(Math.max(pixels, least), most));
  $("size").value = (100 * Math.log(state.brush / least)) / Math.log(most / least);
  showBrushSize();
}

export function showBrushSize() {
  $("size").setAttribute("aria-valuetext", t("sizeValue", state.brush));
  placeBrush();
}

export function setTool(tool) {
  state.tool = tool;
  document.querySelector(`input[name=tool][value=${tool}]`).checked = true;
}
