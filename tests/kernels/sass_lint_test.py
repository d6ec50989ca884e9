"""tests/kernels/sass_lint.py on listings that were made up: each fault is seen, and what is right has none. No compiler is needed."""
import unittest

import sass_lint
from sass_lint import BF16, COPIES, HALF, ONCE, RULES, WARPGROUP, Kernel, Rule, absent, faults_of, read_kernels

SYMBOL = "_Z9my_kernelv"
USAGE = f" Function {SYMBOL}:\n  REG:40 STACK:0 SHARED:0 LOCAL:0 CONSTANT[0]:900 TEXTURE:0 SURFACE:0 SAMPLER:0\n"
LOOP = ["LDG.E.NA.128.CONSTANT R4, [R2.64]", "LDGSTS.E.BYPASS.128 [R9], [R2.64]", *["HMMA.16816.F32 R8, R4, R6, R8"] * 4, "IADD3 R2, R2, 0x10, RZ", "@P0 BRA 0x0010", "EXIT"]
PLAIN = [Rule("my_kernel")]


def listing(instructions: list[str], symbol: str = SYMBOL) -> str:
    lines = [f"\t\tFunction : {symbol}", '\t.headerflags\t@"EF_CUDA_SM80"']
    for i, text in enumerate(["MOV R1, c[0x0][0x28]", *instructions]):
        lines += [f"        /*{16 * i:04x}*/                   {text} ;      /* 0x00000a0000017a02 */", "                                                 /* 0x000fe40000000f00 */"]
    return "\n".join(lines)


def kernel(instructions: list[str] = LOOP, usage: str = USAGE) -> Kernel:
    (found,) = read_kernels(usage, listing(instructions))
    return found


class Reading(unittest.TestCase):
    def test_a_listing_is_read_whole(self):
        found = kernel()
        self.assertEqual((found.name, found.registers, found.stack_bytes, len(found.instructions)), ("my_kernel", 40, 0, 1 + len(LOOP)))
        self.assertEqual(found.count("HMMA"), 4)
        self.assertEqual(found.count("BRA"), 1)  # its guard is no part of it

    def test_the_inner_loop_is_the_one_with_most_tensor_instructions(self):
        body = kernel().inner_loop()
        self.assertEqual((len(body), body[0][:3], body[-1][:3]), (8, "LDG", "BRA"))
        self.assertEqual(kernel().instructions_per_weight(1), 8 / 32)
        self.assertEqual(kernel().instructions_per_weight(4), 8 / 8)
        twice = ["HMMA.16816.F32 R8, R4, R6, R8", "@P0 BRA 0x0010", *["HMMA.16816.F32 R8, R4, R6, R8"] * 3, "@P0 BRA 0x0030", "EXIT"]
        self.assertEqual(len(kernel(twice).inner_loop()), 4)

    def test_a_jump_ahead_is_no_loop(self):
        self.assertEqual(kernel(["HMMA.16816.F32 R8, R4, R6, R8", "@P0 BRA 0x0090", "EXIT"]).inner_loop(), [])
        self.assertEqual(kernel(["HMMA.16816.F32 R8, R4, R6, R8", "EXIT"]).instructions_per_weight(1), float("inf"))

    def test_instructions_of_warpgroups_count(self):
        body = ["HGMMA.64x128x16.F32.BF16 R24, R4, gdesc[UR4], R24", "@P0 BRA 0x0010", "EXIT"]
        self.assertEqual(kernel(body).instructions_per_weight(1), 2 / 8)

    def test_names_are_short(self):
        self.assertEqual(sass_lint.short_name("_ZN8gossamer7kernels4cuda44_GLOBAL__N__a8090dab_11_products_cu_96bf6ba715strip_of_slicesILNS1_11StripFormatE3EEEvNS1_11ProductArgsE"),
                         "strip_of_slices<mxfp4>")
        self.assertEqual(sass_lint.short_name("_ZN8gossamer7kernels4cuda45_GLOBAL__N__62c20b5d_12_attention_cu_3ae4995113attend_kernelILNS0_7KvDtypeE2EEEvNS1_8AttendOpE"),
                         "attend_kernel<2>")


class Faults(unittest.TestCase):
    def faults(self, found: Kernel, rule: Rule, arch: str = "sm_80") -> str:
        return "; ".join(faults_of(found, arch, [rule]))

    def test_what_is_right_has_none(self):
        self.assertEqual(self.faults(kernel(), Rule("my_kernel", [HALF, ONCE, COPIES], 1, 0.25)), "")

    def test_local_memory(self):
        self.assertIn("16 bytes of local memory", self.faults(kernel(usage=USAGE.replace("STACK:0", "STACK:16")), PLAIN[0]))
        for instruction in ("STL [R1], R2", "LDL.64 R2, [R1]"):
            self.assertIn("local memory", self.faults(kernel([instruction, *LOOP]), PLAIN[0]))

    def test_calls(self):
        self.assertIn("calls", self.faults(kernel(["CALL.ABS.NOINC 0x0", *LOOP]), PLAIN[0]))
        self.assertEqual(self.faults(kernel(["CALL.REL.NOINC 0x50", *LOOP]), PLAIN[0]), "")

    def test_registers(self):
        found = kernel(usage=USAGE.replace("REG:40", "REG:169"))
        self.assertIn("169 registers, 168", self.faults(found, PLAIN[0]))
        self.assertEqual(self.faults(found, Rule("my_kernel", registers=255)), "")

    def test_registers_that_are_given_to_others_must_be_there(self):
        giving = ["USETMAXREG.DEALLOC.CTAPOOL 0x48", *LOOP]
        self.assertIn("160 registers: the 168", self.faults(kernel(giving, USAGE.replace("REG:40", "REG:160")), PLAIN[0]))
        self.assertEqual(self.faults(kernel(giving, USAGE.replace("REG:40", "REG:168")), PLAIN[0]), "")

    def test_a_kernel_that_is_for_other_cards(self):
        empty = Rule("my_kernel", most=8)
        self.assertEqual(self.faults(kernel(["EXIT", "BRA 0x0020", *["NOP"] * 8]), empty), "")
        self.assertIn("10 instructions, 8 are the most", self.faults(kernel(), empty))

    def test_each_wanted_instruction(self):
        for want in (HALF, ONCE, COPIES):
            without = [text for text in LOOP if not sass_lint.re.match(want[0], text)]
            self.assertIn(want[2], self.faults(kernel(without), Rule("my_kernel", [want])))
        self.assertIn(BF16[2], self.faults(kernel(), Rule("my_kernel", [BF16])))  # half precision is not bf16
        self.assertIn(HALF[2], self.faults(kernel([text.replace("F32", "F32.BF16") for text in LOOP]), Rule("my_kernel", [HALF])))
        self.assertIn(WARPGROUP[2], self.faults(kernel(), Rule("my_kernel", [WARPGROUP])))

    def test_what_is_wanted_of_one_card(self):
        rule = Rule("my_kernel", [("UBLKCP", 1, "bulk copies", "sm_90a")])
        self.assertIn("bulk copies", self.faults(kernel(), rule, "sm_90a"))
        self.assertEqual(self.faults(kernel(), rule, "sm_80"), "")

    def test_what_it_may_not_have(self):
        rule = Rule("my_kernel", never=[(r"FFMA\b", "products and sums are rounded one by one")])
        self.assertEqual(self.faults(kernel(), rule), "")
        self.assertIn("rounded one by one", self.faults(kernel(["FFMA R1, R2, R3, R4", *LOOP]), rule))

    def test_kernels_that_begin_early(self):
        rule = Rule("my_kernel", overlaps=True)
        waits = ["LDG.E.NA.128.CONSTANT R4, [R2.64]", "ACQBULK", "PREEXIT", "LDG.E R4, [R2.64]", "EXIT"]
        self.assertEqual(self.faults(kernel(waits), rule, "sm_90a"), "")
        self.assertEqual(self.faults(kernel(), rule, "sm_80"), "")
        self.assertIn("does not wait", self.faults(kernel([text for text in waits if text != "ACQBULK"]), rule, "sm_90a"))
        self.assertIn("let the next one begin", self.faults(kernel([text for text in waits if text != "PREEXIT"]), rule, "sm_120a"))
        for early in ("LDG.E R4, [R2.64]", "STG.E [R2.64], R4", "RED.E.ADD [R2.64], R4", "LD.E R4, [R2.64]"):
            self.assertIn("before the kernels before", self.faults(kernel([early, *waits]), rule, "sm_90a"))

    def test_the_budget(self):
        self.assertIn("0.25 instructions a weight, 0.24", self.faults(kernel(), Rule("my_kernel", [], 1, 0.24)))
        self.assertIn("inf", self.faults(kernel(["EXIT"]), Rule("my_kernel", [], 1, 100)))

    def test_a_listing_that_was_not_understood(self):
        self.assertIn("nothing is known", self.faults(kernel([]), PLAIN[0]))
        self.assertIn("nothing is known", self.faults(kernel(usage="Fonction: REG 40"), PLAIN[0]))
        (unseen,) = read_kernels(USAGE, "")
        self.assertIn("nothing is known", self.faults(unseen, PLAIN[0]))


class Rules(unittest.TestCase):
    def test_a_kernel_without_a_rule_is_a_fault(self):
        self.assertIn("no line of RULES", faults_of(kernel(), "sm_80", [Rule("my_kernel_2"), Rule("y_kernel")])[0])

    def test_a_rule_without_a_kernel_is_a_fault(self):
        rules = [*PLAIN, Rule("another")]
        self.assertEqual(absent([kernel()], "sm_80", rules), ["another"])
        self.assertEqual(absent([], "sm_80", rules), ["my_kernel", "another"])

    def test_rules_are_for_cards(self):
        rules = [Rule("my_kernel", [WARPGROUP], cards="sm_90a"), Rule("my_kernel", cards="sm_80")]
        self.assertEqual(faults_of(kernel(), "sm_80", rules), [])
        self.assertIn(WARPGROUP[2], faults_of(kernel(), "sm_90a", rules)[0])
        self.assertEqual(absent([], "sm_90a", rules), ["my_kernel"])

    def test_every_kernel_of_the_sources_has_a_rule(self):
        for source in sass_lint.SOURCES.rglob("*.cu"):
            for name in sass_lint.re.findall(r"__global__\s+void\s+(?:__launch_bounds__\((?:[^()]|\([^()]*\))*\)\s+)?(\w+)\(", source.read_text()):
                self.assertTrue(any(sass_lint.re.match(rf"{name}\b", rule.kernel) for rule in RULES), f"{source.name}: {name}")


if __name__ == "__main__":
    unittest.main()
