"""check_architecture.py finds folders, READMEs and dependencies that the documents do not follow."""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_architecture


class CheckArchitecture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/base/README.md", "# base\n")
        self.write("engines/null/README.md", "# null\n")
        self.write("cli/main.cc", "")
        self.write("cli/README.md", "# cli\n")
        self.write("ARCHITECTURE.md", "| `src/base/` | x |\n| `engines/null/` | x |\n| `cli/` | x |\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_accepts_a_list_that_follows_the_tree(self):
        (self.root / "src" / "empty").mkdir()
        self.write("build/x", "")
        self.assertEqual(list(check_architecture.check_folders(self.root)), [])
        self.assertEqual(list(check_architecture.check_readmes(self.root)), [])

    def test_finds_unlisted_and_stale_folders(self):
        self.write("src/model/a.cc", "")
        shutil.rmtree(self.root / "cli")
        complaints = list(check_architecture.check_folders(self.root))
        self.assertEqual(len(complaints), 2, complaints)
        self.assertIn("'src/model/' is in the tree", complaints[0])
        self.assertIn("'cli/' is in the list", complaints[1])

    def test_finds_missing_and_long_readmes(self):
        self.write("src/model/a.cc", "")
        self.write("src/base/README.md", "line\n" * 31)
        complaints = list(check_architecture.check_readmes(self.root))
        self.assertEqual(len(complaints), 2, complaints)
        self.assertIn("31 lines", complaints[0])
        self.assertIn("src/model/README.md: missing", complaints[1])

    def test_finds_a_front_door_without_a_readme(self):
        (self.root / "cli" / "README.md").unlink()
        self.assertIn("cli/README.md: missing", " ".join(check_architecture.check_readmes(self.root)))

    def test_finds_dependencies_without_a_line(self):
        self.write("requirements/run.in", "# words\n-c other.txt\nnumpy==1\nmagika==2\n")
        self.write("tools/setup/system_packages.sh", '  case $1 in\n    run) echo "g++ cmake\n      ninja" ;;\n')
        self.write("docs/dependencies.md", "`numpy` `g++` `ninja`\n")
        complaints = list(check_architecture.check_dependencies(self.root))
        self.assertEqual([complaint.split("`")[1] for complaint in complaints], ["cmake", "magika"])


if __name__ == "__main__":
    unittest.main()
