"""How does a bundle answer over HTTP, under load and in time?

    fastbert-serve --bundle_dir=bundle/ --port=8000
    curl localhost:8000/v1/models/fastbert:predict \\
        -d '{"instances": ["a text", "another"]}'
    curl localhost:8000/v1/models/fastbert:predict \\
        -d '{"instances": [{"text": "a text", "speed": 0.2}]}'

Speaks the Open Inference Protocol v2 (`/v2/...`) and the predict form of
TensorFlow Serving's REST API (`/v1/models/...`), has Prometheus metrics at
`/metrics`, and a page to try it at `/`. It is ready (`/v2/health/ready`) once
it is warm, and says so on stderr. SIGTERM and SIGINT end it when what is
inside is answered, a second one at once.

A request may name a `speed`, a `deadline_millis` from its arrival, and what
it wants past the deadline: `late=error`, which is the default, or
`late=deepest`, the answer of the deepest exit reached, flagged `is_late`.
Requests above what can be held get 503 with Retry-After.
"""

from collections.abc import Sequence

from absl import app, flags

from fastbert_tf.commands.launch import launch
from fastbert_tf.commands.shared_flags import (
    define_batch_size,
    define_deadline,
    define_text,
)

from .. import server

_DEFAULTS = server.Limits()


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""

    def number(name: str, default: int | None, help_: str) -> None:
        flags.DEFINE_integer(name, default, help_, 1, flag_values=values)

    define_text("bundle_dir", values, required=True)
    flags.DEFINE_integer(
        "port", 8000, "To listen at; 0 for any that is free.", 0, 65535, values
    )
    flags.DEFINE_string(
        "host", "127.0.0.1", "Address to listen at; 0.0.0.0 for all.", values
    )
    flags.DEFINE_string("model_name", "fastbert", "In the paths.", values)
    define_batch_size(values)
    number(
        "max_enqueued_rows",
        _DEFAULTS.max_enqueued_rows,
        "Rows inside at once; requests above them get 503.",
    )
    define_deadline(values, "For requests that name none.")
    number("max_body_bytes", _DEFAULTS.max_body_bytes, "Of one request.")
    number("max_connections", _DEFAULTS.max_connections, "Open at once.")
    number(
        "drain_seconds",
        _DEFAULTS.drain_seconds,
        "For answering what is inside once asked to leave.",
    )


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    server.serve(
        values.bundle_dir,
        values.model_name,
        values.host,
        values.port,
        values.max_batch_size,
        _limits(values),
    )


def _limits(values: flags.FlagValues) -> server.Limits:
    millis = values.deadline_millis
    return server.Limits(
        deadline_seconds=None if millis is None else millis / 1000,
        max_enqueued_rows=values.max_enqueued_rows,
        max_body_bytes=values.max_body_bytes,
        max_connections=values.max_connections,
        drain_seconds=values.drain_seconds,
    )


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
