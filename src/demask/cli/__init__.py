"""One module per command; each parses, calls the library and prints."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Console entry point: a DemaskError becomes one line and its exit code, never a traceback."""
    from demask.errors import DemaskError

    try:
        from demask.cli.app import app

        app(prog_name="demask")
    except DemaskError as error:
        from demask.cli.streams import debugging, say_error

        if debugging():
            import traceback

            traceback.print_exc()
        say_error(str(error))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said there, not even by the exit's flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
