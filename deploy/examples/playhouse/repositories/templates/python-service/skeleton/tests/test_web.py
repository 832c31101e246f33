"""What others rely on."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from ${{ values.package }}.web import answer


class Web(unittest.TestCase):
    def test_is_ready(self) -> None:
        self.assertEqual(answer("/readyz"), (200, {"status": "ok"}))

    def test_says_what_is_not_here(self) -> None:
        status, body = answer("/nothing")
        self.assertEqual(status, 404)
        self.assertIn("/nothing", body["error"])


if __name__ == "__main__":
    unittest.main()
