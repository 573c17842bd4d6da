"""What imports of libraries may leave out, because it costs more than it gives."""

from __future__ import annotations

import sys


def skip_slow_import() -> None:
    """Leave out a grammar that is compiled at import for 0.9 to 1.8 s and checks only internationalised addresses.

    `jsonschema`, which notebooks, suites and Great Expectations need, imports `rfc3987_syntax` where it is installed
    and does without where it is not; none of them has a field of that format. Once it is imported this does nothing.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
