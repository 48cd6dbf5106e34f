"""How far two right answers may lie apart."""

import tensorflow as tf

# Of float32 against float32 on a CPU, the promise of the package.
EXACT = 1e-5
_ABSOLUTE = {
    ("float32", "CPU"): EXACT,
    ("bfloat16", "CPU"): 5e-2,
    ("float32", "GPU"): 1e-4,
    ("bfloat16", "GPU"): 5e-2,
}


def tolerance(precision: str = "float32") -> dict[str, float]:
    """Keyword arguments of `np.testing.assert_allclose`, on this device."""
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    absolute = _ABSOLUTE[precision, device]
    return {"rtol": absolute, "atol": absolute}
