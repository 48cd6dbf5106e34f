"""`SegmentPlan`: which exits are asked, and which blocks are fused."""

from __future__ import annotations

import dataclasses

from fastbert_tf import check_exits


@dataclasses.dataclass(frozen=True)
class SegmentPlan:
    """Where the network is cut.

    Every exit that is asked ends a segment; the blocks since the one before
    run fused in it, and the students on them are left out. A row then leaves
    at the first exit asked whose uncertainty is under its `speed`:
    `simulate_exits(..., exits=plan.exits)`.

    Args:
        num_blocks: int, L.
        exits: tuple of int, rising; the teacher, L - 1, is the last.

    Raises:
        ValueError: `exits` are not as above.

    Example:

    >>> SegmentPlan(12, (0, 2, 11)).spans
    ((0, 0), (1, 2), (3, 11))
    """

    num_blocks: int
    exits: tuple[int, ...]

    def __post_init__(self) -> None:
        exits = check_exits(self.exits, self.num_blocks)
        object.__setattr__(self, "exits", exits)

    @classmethod
    def every_exit(cls, num_blocks: int) -> SegmentPlan:
        """One segment a block."""
        return cls(num_blocks, tuple(range(num_blocks)))

    @classmethod
    def teacher_only(cls, num_blocks: int) -> SegmentPlan:
        """No exit but the last: BERT at full depth, as one segment."""
        return cls(num_blocks, (num_blocks - 1,))

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First and last block of each segment."""
        firsts = (0, *(i + 1 for i in self.exits[:-1]))
        return tuple(zip(firsts, self.exits, strict=True))
