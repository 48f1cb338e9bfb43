"""One module per command; each parses, calls the library and prints."""

from __future__ import annotations


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
        from demask.cli.streams import give_up_stdout

        give_up_stdout()  # Whoever read our output has gone: there is nobody to tell.
        raise SystemExit(1) from None
    except OSError as error:
        from demask.cli.outcome import DISK_FULL, about_file
        from demask.cli.streams import debugging, give_up_stdout, say_error

        if debugging() or (error.errno not in DISK_FULL and error.filename is None):
            raise
        give_up_stdout()  # Help and lists are printed by a library, which leaves a full stdout to us.
        say_error(about_file(error))
        raise SystemExit(1) from None
