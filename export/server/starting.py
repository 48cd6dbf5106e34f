"""From a bundle to a server that runs."""

from __future__ import annotations

from fastbert_tf.segments.engine import PooledEngine

from .lifecycle import Server, open_port
from .limits import Limits
from .metrics import Metrics
from .served_model import ServedModel
from .service import Service


def serve(
    bundle_dir: str,
    model_name: str,
    host: str,
    port: int,
    max_batch_size: int,
    limits: Limits,
) -> None:
    """Serves a bundle until SIGINT or SIGTERM.

    Args:
        bundle_dir: folder that `export_segments` wrote.
        model_name: str, that clients ask for.
        host: str, an address of this machine.
        port: int; 0 for any that is free.
        max_batch_size: int, rows that run together.
        limits: `Limits`.

    Raises:
        OSError: the port cannot be had.
        FileNotFoundError, ValueError: the bundle or the name is refused.
    """
    with open_port(host, port) as opened:
        model = ServedModel.load(bundle_dir, model_name)
        exits = model.manifest.plan.exits
        metrics = Metrics(model.manifest.segment_names, exits)
        engine = PooledEngine(
            model.segments,
            max_batch_size=max_batch_size,
            max_enqueued_rows=limits.max_enqueued_rows,
            observer=metrics,
        )
        server = Server(Service(model, engine, metrics, limits))
        url = "http://{}:{}/".format(*opened.getsockname()[:2])
        print(f"{model.name} at {url}, warming", flush=True)
        server.serve_on(opened)
