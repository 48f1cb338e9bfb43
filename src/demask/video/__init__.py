"""Clips: streams kept as they are, faces followed and restored steadily. Needs the extra `video`."""

from __future__ import annotations

from demask.video.video_remover import VideoRemover

__all__ = ["VideoRemover"]
