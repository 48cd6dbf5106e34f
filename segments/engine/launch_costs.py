"""`LaunchCosts`: a `CostTable` that follows what is seen while serving."""

from __future__ import annotations

from collections.abc import Callable

# Seconds of no rows and of each row, by segment and bucket.
Line = Callable[[int, int], tuple[float, float]]
# Rows that a share of leaving is averaged over.
_MEMORY_ROWS = 100
# How far one launch moves the estimate of how fast the machine is now, and
# the slowest and fastest it may be, as multiples of the warm-up's seconds.
_LEARNING_RATE = 0.1
_SCALES = (0.2, 5.0)


class LaunchCosts:
    """Estimated seconds of a launch, and of what a row still needs.

    Seconds are linear in the rows, by the lines of the table; one factor for
    all follows how fast the machine is since. The share of rows that stay at
    a segment starts at 1, as if every row went deep, and follows what is
    seen. Nothing is known, and every estimate is 0, without lines.

    Args:
        num_segments: int, L.
        line: `CostTable.line` of these segments; `use` takes it later.
    """

    def __init__(self, num_segments: int, line: Line | None = None) -> None:
        self.num_segments = num_segments
        self.scale = 1.0
        self._stay = [1.0] * (num_segments - 1) + [0.0]
        self._lines = {}
        self._remaining = {}
        self._measured = line

    def use(self, line: Line) -> None:
        """Takes the seconds of a warm-up for those of every launch."""
        self._measured = line
        self._lines.clear()
        self._remaining.clear()

    def observe(
        self, segment: int, bucket: int, num_rows: int, seconds: float
    ) -> None:
        """Takes in the seconds of a launch while serving."""
        expected = self.launch_seconds(segment, bucket, num_rows)
        if expected > 0:
            scale = self.scale * seconds / expected
            scale = min(max(scale, _SCALES[0]), _SCALES[1])
            self.scale += _LEARNING_RATE * (scale - self.scale)

    def observe_leaving(self, segment: int, num_rows: int, stay: int) -> None:
        """Takes in how many of the rows that may leave at an exit stayed."""
        if num_rows and segment < self.num_segments - 1:
            rate = num_rows / (num_rows + _MEMORY_ROWS)
            share = self._stay[segment]
            self._stay[segment] += rate * (stay / num_rows - share)
            self._remaining.clear()

    def launch_seconds(self, segment: int, bucket: int, num_rows: int) -> float:
        """Seconds of a launch of so many rows; 0 if nothing is known."""
        fixed, per_row = self._line(segment, bucket)
        return self.scale * (fixed + per_row * num_rows)

    def remaining_seconds(
        self, segment: int, bucket: int, num_rows: float, may_leave: bool
    ) -> float:
        """Seconds that rows run together need from a segment on.

        Args:
            segment, bucket: int, the segment they need next.
            num_rows: float; 0 gives the fixed part of the launches.
            may_leave: bool; by the shares seen, or all of the segments.
        """
        fixed, per_row = self._sum(segment, bucket, may_leave)
        return self.scale * (fixed + per_row * num_rows)

    def _line(self, segment: int, bucket: int) -> tuple[float, float]:
        if self._measured is None:
            return 0.0, 0.0
        key = segment, bucket
        if key not in self._lines:
            self._lines[key] = self._measured(*key)
        return self._lines[key]

    def _sum(
        self, segment: int, bucket: int, may_leave: bool
    ) -> tuple[float, float]:
        """Fixed and per-row seconds from `segment` on, at scale 1."""
        if segment == self.num_segments:
            return 0.0, 0.0
        key = segment, bucket, may_leave
        if key not in self._remaining:
            stay = self._stay[segment] if may_leave else 1.0
            later = self._sum(segment + 1, bucket, may_leave)
            now = self._line(segment, bucket)
            self._remaining[key] = tuple(
                one + stay * rest for one, rest in zip(now, later, strict=True)
            )
        return self._remaining[key]
