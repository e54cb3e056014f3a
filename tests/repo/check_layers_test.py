"""check_layers.py finds each kind of wrong include, and only those."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_layers


class CheckLayers(unittest.TestCase):
    def complaints(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return list(check_layers.check_tree(Path(folder)))

    def assert_one(self, name: str, line: str, words: str) -> None:
        complaints = self.complaints({name: f"\n{line}\n"})
        self.assertEqual(len(complaints), 1, complaints)
        self.assertTrue(complaints[0].startswith(f"{name}:2: "), complaints[0])
        self.assertIn(words, complaints[0])

    def test_accepts_includes_that_go_down(self):
        files = {
            "src/model/a.cc": '#include "model/a.h"\n#include "base/json.h"\n#include "axle/tensor.h"\n#include <vector>\n#include <fmt/core.h>\n',
            "src/planner/a.cc": '#include "model/graph.h"\n#include "policy/toml.h"\n#include "axle/plan.h"\n',
            "include/axle/plan.h": '#include <stdint.h>\n#include <string>\n#include "axle/status.h"\n',
            "engines/null/plugin.cc": '#include "axle/engine_kit/base.h"\n#include "local.h"\n',
            "engines/described/step.cc": '#include "base/subprocess.h"\n#include "tensor/npy.h"\n#include "axle/status.h"\n',
            "engines/null/testing/host.h": '#include "engine/engine.h"\n',
            "engines/null/plugin_test.cc": '#include "base/json.h"\n',
            "cli/run.cc": '#include "axle/session.h"\n#include <CLI/CLI.hpp>\n',
        }
        self.assertEqual(self.complaints(files), [])

    def test_rejects_an_include_that_goes_up(self):
        self.assert_one("src/base/a.cc", '#include "model/graph.h"', "layer model")

    def test_rejects_a_public_header_of_a_higher_layer(self):
        self.assert_one("src/spec/a.cc", '#include "axle/session.h"', "layer runtime")

    def test_rejects_a_neighbour_of_a_narrow_layer(self):
        self.assert_one("src/planner/a.cc", '#include "tensor/buffer.h"', "layer tensor")
        self.assert_one("src/probe/a.h", '#  include "model/graph.h"', "layer model")

    def test_rejects_third_party_types_in_public_headers(self):
        self.assert_one("include/axle/model.h", "#include <nlohmann/json.hpp>", "standard library")
        self.assert_one("include/axle/model.h", '#include "base/json.h"', "not a public header")

    def test_rejects_public_headers_that_include_upwards(self):
        self.assert_one("include/axle/plan.h", '#include "axle/session.h"', "layer runtime")

    def test_rejects_inner_headers_in_outer_rooms(self):
        self.assert_one("cli/run.cc", '#include "base/json.h"', "only include/")
        self.assert_one("engines/x/plugin.cc", '#include "axle/session.h"', "it sees only")
        self.assert_one("engines/x/plugin.cc", '#include "base/json.h"', "only include/")
        self.assert_one("engines/described/plugin.cc", '#include "engine/engine.h"', "only include/")

    def test_rejects_what_is_in_no_layer(self):
        self.assert_one("src/base/a.cc", '#include "axle/novelty.h"', "in no layer")
        self.assertIn("in no layer", self.complaints({"src/novelty/a.cc": "\n"})[0])

    def test_rejects_vendor_switches(self):
        self.assert_one("src/runtime/a.cc", "#ifdef USE_CUDA", "vendor switch")
        self.assertEqual(self.complaints({"engines/cuda/a.cc": "#ifdef USE_CUDA\n"}), [])


if __name__ == "__main__":
    unittest.main()
