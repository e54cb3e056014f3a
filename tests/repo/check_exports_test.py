"""check_exports.py accepts what the public headers declare and finds everything else."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_exports


@unittest.skipIf(shutil.which("c++") is None, "no C++ compiler")
class CheckExports(unittest.TestCase):
    def build(self, code: str) -> Path:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        library = Path(folder.name) / "libx.so"
        subprocess.run(["c++", "-std=c++20", "-shared", "-fPIC", "-x", "c++", "-", "-o", library], input=code, text=True, check=True)
        return library

    def test_accepts_declared_names(self):
        code = "namespace axle { struct Status { Status(); virtual ~Status(); }; Status::Status() {} Status::~Status() {} }"
        self.assertEqual(check_exports.check_library(self.build(code)), [])

    def test_rejects_inner_foreign_and_undeclared_names(self):
        for code, name in [
            ("namespace axle { void certainly_not_public() {} }", "certainly_not_public"),
            ("namespace onnx { void checker() {} }", "onnx::checker"),
            ('extern "C" void axle_not_in_any_header() {}', "axle_not_in_any_header"),
            ("int Status = 1;", "Status"),
        ]:
            with self.subTest(name):
                complaints = check_exports.check_library(self.build(code))
                self.assertEqual(len(complaints), 1, complaints)
                self.assertIn(name, complaints[0])

    def test_rejects_a_library_without_exports(self):
        self.assertEqual(len(check_exports.check_library(self.build("static int x;"))), 1)

    def test_holds_a_plugin_to_its_one_function(self):
        query = 'extern "C" int axle_engine_query() { return 0; }'
        self.assertEqual(check_exports.check_plugin(self.build(query)), [])
        self.assertIn("'other'", check_exports.check_plugin(self.build(f'{query} extern "C" void other() {{}}'))[0])
        self.assertIn("does not export", check_exports.check_plugin(self.build("static int x;"))[0])


if __name__ == "__main__":
    unittest.main()
