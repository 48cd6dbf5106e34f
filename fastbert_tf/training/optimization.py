"""AdamW as BERT is fine-tuned with: warm-up, decay, biases left alone."""

from typing import Any

import keras
from keras import ops

# Names of the variables that weight decay leaves alone.
_UNDECAYED = ("bias", "gamma", "beta")


class LinearWarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises to a peak and falls to zero, both linearly.

    Args:
        peak: float, the largest learning rate.
        num_steps: int, optimizer steps until it is zero.
        warmup: float in [0, 1], share of the steps spent rising.

    Reference:
        BERT (Devlin et al., 2019), appendix A.2; FastBERT uses 10 %.
    """

    def __init__(self, peak: float, num_steps: int, warmup: float = 0.1):
        if num_steps < 1 or not 0 <= warmup <= 1 or not peak > 0:
            raise ValueError(
                "A schedule needs peak > 0, num_steps >= 1 and warmup in "
                f"[0, 1]. Received: peak={peak}, num_steps={num_steps}, "
                f"warmup={warmup}."
            )
        self.peak = peak
        self.num_steps = num_steps
        self.warmup = warmup

    def __call__(self, step: Any) -> Any:
        # Steps count from 0: the first one learns, the last is above zero.
        done = (ops.cast(step, "float32") + 1.0) / (self.num_steps + 1.0)
        rising = done / self.warmup if self.warmup else 1.0
        remaining = 1.0 - self.warmup
        falling = (1.0 - done) / remaining if remaining else 1.0
        share = ops.minimum(ops.minimum(rising, falling), 1.0)
        return self.peak * ops.maximum(share, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "num_steps": self.num_steps,
            "warmup": self.warmup,
        }


def adamw(
    learning_rate: float,
    num_steps: int,
    warmup: float = 0.1,
    weight_decay: float = 0.01,
) -> keras.optimizers.AdamW:
    """AdamW with linear warm-up and decay, for either stage.

    Weight decay leaves out biases and layer norms. (The released FastBERT
    code means to, but its decay has no effect: it sets a key that its
    optimizer does not read.)

    Args:
        learning_rate: float, the peak; 2e-5 suits stage 1, 2e-4 stage 2.
        num_steps: int, optimizer steps of the whole run.
        warmup: float, share of the steps with a rising learning rate.
        weight_decay: float.
    """
    optimizer = keras.optimizers.AdamW(
        LinearWarmupDecay(learning_rate, num_steps, warmup),
        weight_decay=weight_decay,
    )
    optimizer.exclude_from_weight_decay(var_names=list(_UNDECAYED))
    return optimizer
