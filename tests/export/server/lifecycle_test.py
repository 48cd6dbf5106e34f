"""The server's life."""

import pytest

from fastbert_tf.export.server.lifecycle import Server, open_port
from fastbert_tf.export.server.service import Service


def test_a_port_in_use_is_named() -> None:
    with open_port("127.0.0.1", 0) as port:
        number = port.getsockname()[1]
        with pytest.raises(OSError, match=f"Port {number} of 127.0.0.1"):
            open_port("127.0.0.1", number)


def test_a_warm_up_that_fails_ends_the_server(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ArithmeticError("cold")

    monkeypatch.setattr(service.engine, "warm_up", fail)
    with pytest.raises(ArithmeticError, match="cold"):
        Server(service).serve_on(open_port("127.0.0.1", 0))
    assert service.engine.is_stopped
