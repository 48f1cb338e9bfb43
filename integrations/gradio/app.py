"""A page for Gradio or a Hugging Face Space: `pip install demask gradio`, then run this file."""

from __future__ import annotations

import gradio as gr
import numpy as np

import demask

NOTICE = "The lower face is **invented**. It is not the person's. Never use it to identify anyone."
remover = demask.Remover()


def restore(photo: np.ndarray) -> tuple[np.ndarray, str]:
    """uint8 RGB [H, W, 3] in; the same without face masks, and what became of it."""
    result = remover(photo)
    return result.photo, f"{result.status}: {len(result.faces)} faces. {NOTICE}"


page = gr.Interface(
    restore, gr.Image(), [gr.Image(format="png"), gr.Markdown()], title="demask", description=NOTICE
)
if __name__ == "__main__":
    page.launch()
