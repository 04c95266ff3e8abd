# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random C programs with what csmith leaves out: recursion, vectors, __int128, dynamic allocas, addresses of locals handed down,
variable arguments, structures by value, labels as values, setjmp.

Without undefined behaviour: integers are computed unsigned and then converted, which the compiler defines; floating-point
values are never converted to integers; and loops and calls consume fuel, so that each program ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

INTEGERS = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "u128"]
FLOATS = ["float", "double"]
VECTORS = {
    "v4u": ("u32", 4),
    "v2q": ("u64", 2),
    "v4f": ("float", 4),
    "v2d": ("double", 2),
    "v8u": ("u32", 8),
    "v4h": ("u16", 4),
}
PROLOGUE = """\
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef unsigned char u8; typedef signed char i8; typedef unsigned short u16; typedef short i16;
typedef unsigned u32; typedef int i32;
typedef unsigned long u64; typedef long i64; typedef unsigned __int128 u128;
typedef u32 v4u __attribute__((vector_size(16))); typedef u64 v2q __attribute__((vector_size(16)));
typedef float v4f __attribute__((vector_size(16))); typedef double v2d __attribute__((vector_size(16)));
typedef u32 v8u __attribute__((vector_size(32))); typedef u16 v4h __attribute__((vector_size(8)));
static u64 sum = 1;
static int fuel = FUEL;
static void mix(u64 v) { sum = (sum ^ v) * 0x9e3779b97f4a7c15ul; sum ^= sum >> 29; }
static void mix_u128(u128 v) { mix((u64)v); mix((u64)(v >> 64)); }
static void mix_double(double v) { u64 b = 0x7ff8; if (v == v) memcpy(&b, &v, 8); mix(b); }
__attribute__((noinline)) static u64 several(int n, ...) {
  va_list list; u64 s = 0;
  va_start(list, n);
  for (int i = 0; i < n; i++) { s = s * 31 + va_arg(list, u64); double d = va_arg(list, double); mix_double(d); }
  va_end(list);
  return s;
}
struct handler { jmp_buf place; struct handler *outer; };
static struct handler *handlers;
__attribute__((noinline)) static void throw(int value) { if (handlers) longjmp(handlers->place, value); }
"""


@dataclass
class Signature:
    """A function to be called."""

    name: str
    result: str
    parameters: list[str]


@dataclass
class Generator:
    """Writes one program."""

    choose: random.Random
    structures: dict[str, list[str]] = field(default_factory=dict)
    signatures: list[Signature] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)
    """The variables in scope, by type."""
    count: int = 0
    labels: bool = False
    """The function at hand has labels as values, or else arrays of variable length: a jump into their scope is forbidden."""

    def program(self) -> str:
        """The whole text."""
        parts = [PROLOGUE.replace("FUEL", str(self.choose.choice([100, 400, 1500])))]
        for i in range(3):
            fields = [self.scalar() for _ in range(self.choose.randint(1, 5))]
            self.structures[f"struct s{i}"] = fields
            members = " ".join(f"{kind} m{k};" for k, kind in enumerate(fields))
            parts.append(f"struct s{i} {{ {members} }};\n")
        for i in range(self.choose.randint(3, 7)):
            parameters = [self.kind() for _ in range(self.choose.randint(0, 7))]
            self.signatures.append(Signature(f"f{i}", self.kind(), parameters))
        parts += [f"static {self.head(s)};\n" for s in self.signatures]
        parts += [self.guard(s) for s in self.signatures]
        parts += [self.function(s) for s in self.signatures]
        return "".join(parts) + self.main()

    def scalar(self) -> str:
        return self.choose.choice(INTEGERS + FLOATS * 2)

    def kind(self) -> str:
        return self.choose.choice(
            [
                self.scalar(),
                self.scalar(),
                self.choose.choice(list(VECTORS)),
                self.choose.choice(list(self.structures)),
            ]
        )

    def head(self, s: Signature) -> str:
        listed = "".join(f", {kind} p{i}" for i, kind in enumerate(s.parameters))
        return f"{s.result} {s.name}(int depth, u32 *out{listed})"

    def new(self, kind: str) -> str:
        self.count += 1
        name = f"x{self.count}"
        self.names.setdefault(kind, []).append(name)
        return name

    def function(self, s: Signature) -> str:
        self.names = {"i32": ["depth"]}
        self.labels = self.choose.random() < 0.3
        for i, kind in enumerate(s.parameters):
            self.names.setdefault(kind, []).append(f"p{i}")
        attribute = self.choose.choice(["__attribute__((noinline)) ", "__attribute__((noinline)) ", ""])
        lines = [
            f"{attribute}static {self.head(s)} {{",
            "  u32 local = (u32)depth * 7u, *in = &local; (void)in;",
        ]
        lines += [self.declare() for _ in range(self.choose.randint(3, 9))]
        lines += [self.statement(2) for _ in range(self.choose.randint(3, 8))]
        lines += ["  *out += local;", *self.digest(), f"  return {self.value(s.result)};", "}\n"]
        return "\n".join(lines)

    def guard(self, s: Signature) -> str:
        """A function that catches what a call throws; its arguments and a local must be what they were."""
        passed = "".join(f", p{i}" for i in range(len(s.parameters)))
        retry = self.choose.choice(["", "if (tries++ < 2) goto again;"])
        fill, test = self.choose.choice(
            [
                ("", "setjmp(h.place) == 0"),
                ("int code = sigsetjmp(h.place, 1); mix((u64)code);", "code == 0"),
                (
                    "int code; switch (code = setjmp(h.place)) { case 0: break; case 1: mix(5); default: mix(code); }",
                    "!code",
                ),
            ]
        )
        mixed = " ".join(self.add(kind, f"p{i}") for i, kind in enumerate(s.parameters))
        return (
            f"static {self.head(Signature('guard_' + s.name, s.result, s.parameters))} {{\n"
            f"  struct handler h; volatile int tries = 0; u64 kept = sum | 1; (void)tries;\n"
            f"  again: h.outer = handlers; handlers = &h; {fill}\n"
            f"  if ({test}) {{ {s.result} r = {s.name}(depth, out{passed}); handlers = h.outer; return r; }}\n"
            f"  handlers = h.outer; mix(kept); mix((u64)depth); {mixed} {retry}\n"
            f"  return {s.name}(0, out{passed});\n}}\n"
        )

    def declare(self) -> str:
        kind = self.kind()
        value = self.value(kind)
        return f"  {kind} {self.new(kind)} = {value};"

    def digest(self) -> list[str]:
        """Adds every variable in scope to the checksum."""
        return [f"  {self.add(kind, name)}" for kind, names in self.names.items() for name in names]

    def add(self, kind: str, name: str) -> str:
        if kind in FLOATS:
            return f"mix_double({name});"
        if kind in VECTORS:
            element, length = VECTORS[kind]
            return " ".join(self.add(element, f"{name}[{i}]") for i in range(length))
        if kind in self.structures:
            return " ".join(self.add(part, f"{name}.m{i}") for i, part in enumerate(self.structures[kind]))
        return f"mix_u128((u128){name});"

    def value(self, kind: str, depth: int = 2) -> str:
        """An expression of a type."""
        known = self.names.get(kind, [])
        if known and self.choose.random() < 0.4:
            return self.choose.choice(known)
        if kind in VECTORS:
            element, length = VECTORS[kind]
            if known and depth and self.choose.random() < 0.5:
                return (
                    f"({self.choose.choice(known)} {self.choose.choice('+-*')} {self.value(kind, depth - 1)})"
                )
            return f"({kind}){{{', '.join(self.value(element, 0) for _ in range(length))}}}"
        if kind in self.structures:
            return f"({kind}){{{', '.join(self.value(part, 0) for part in self.structures[kind])}}}"
        if depth and self.choose.random() < 0.7:
            return self.operation(kind, depth)
        return self.leaf(kind)

    def operation(self, kind: str, depth: int) -> str:
        a, b = self.value(kind, depth - 1), self.value(kind, depth - 1)
        if kind in FLOATS:
            return self.choose.choice([f"({a} + {b})", f"({a} * ({kind})0.75)", f"({a} < {b} ? {a} : {b})"])
        bits = {"8": 7, "16": 15, "32": 31, "64": 63, "28": 127}[kind[-2:].lstrip("ui")]
        wide = "u128" if bits == 127 else "u64"
        shift = self.choose.randint(1, bits)
        operator = self.choose.choice("+-*^&|")
        shifted = f"({kind})(({wide}){a} {self.choose.choice(['<<', '>>'])} {min(shift, 63)})"
        return self.choose.choice(
            [f"({kind})(({wide}){a} {operator} ({wide}){b})", shifted, f"({kind})({a} < {b})"]
        )

    def leaf(self, kind: str) -> str:
        source = self.choose.choice(INTEGERS)
        known = self.names.get(source)
        if known and self.choose.random() < 0.6:
            return f"({kind}){self.choose.choice(known)}"
        if kind in FLOATS:
            return f"({kind}){self.choose.randint(-999, 999)}.25"
        return f"({kind}){self.choose.choice([self.choose.randint(0, 127), self.choose.getrandbits(31)])}u"

    def statement(self, depth: int) -> str:
        kinds: list[Callable[[int], str]] = [
            self.assignment,
            self.assignment,
            self.call,
            self.call,
            self.variadic,
            self.throw,
            self.memory,
        ]
        if depth:
            kinds += [self.loop, self.loop, self.branch, self.switch, self.dynamic, self.dynamic]
            kinds += [self.gotos] * self.labels
        return self.choose.choice(kinds)(depth)

    def block(self, depth: int) -> str:
        """Statements in a scope of their own."""
        saved = {kind: list(names) for kind, names in self.names.items()}
        text = " ".join(self.statement(depth - 1) for _ in range(self.choose.randint(1, 3)))
        self.names = saved
        return text

    def assignment(self, _: int) -> str:
        kind = self.choose.choice(
            [k for k, names in self.names.items() if names and names != ["depth"]] or ["i32"]
        )
        names = [name for name in self.names[kind] if name != "depth"]
        return f"{self.choose.choice(names)} = {self.value(kind)};" if names else "mix(1);"

    def call(self, _: int) -> str:
        callee = self.choose.choice(self.signatures)
        arguments = "".join(f", {self.value(kind, 1)}" for kind in callee.parameters)
        out = self.choose.choice(["&local", "in", "out"])
        target = [name for name in self.names.get(callee.result, []) if name != "depth"]
        name = self.choose.choice([callee.name, f"guard_{callee.name}"])
        run = f"{name}(depth - 1, {out}{arguments})"
        store = (
            f"{self.choose.choice(target)} = {run};"
            if target
            else f"{{ {callee.result} r = {run}; {self.add(callee.result, 'r')} }}"
        )
        return f"if (depth > 0 && fuel-- > 0) {store}"

    def throw(self, _: int) -> str:
        return f"if (({self.value('u32')} & 7u) == 3u) throw({self.choose.randint(0, 3)});"

    def variadic(self, _: int) -> str:
        n = self.choose.randint(0, 4)
        passed = "".join(f", {self.value('u64', 1)}, {self.value('double', 1)}" for _ in range(n))
        return f"mix(several({n}{passed}));"

    def memory(self, _: int) -> str:
        return self.choose.choice(
            ["*in = *in * 3u + local;", "*out ^= local;", "local += *out; in = out;", "in = &local;"]
        )

    def loop(self, depth: int) -> str:
        self.count += 1
        i = f"it{self.count}"
        head = f"int {i} = 0; {i} < {self.choose.randint(1, 6)} && fuel > -2000; {i}++, fuel--"
        return f"for ({head}) {{ {self.block(depth)} mix({i}); }}"

    def branch(self, depth: int) -> str:
        return f"if ({self.value('u32')} & 1u) {{ {self.block(depth)} }} else {{ {self.block(depth)} }}"

    def switch(self, depth: int) -> str:
        cases = " ".join(
            f"case {i}: {{ {self.block(depth)} }} {self.choose.choice(['break;', ''])}" for i in range(4)
        )
        return f"switch ({self.value('u32')} & 3u) {{ {cases} default: break; }}"

    def gotos(self, depth: int) -> str:
        self.count += 1
        n = self.count
        return (
            f"{{ static const void *const t{n}[] = {{&&a{n}, &&b{n}, &&e{n}}}; u32 k{n} = 5; "
            f"n{n}: if (!k{n}--) goto e{n}; goto *t{n}[{self.value('u32')} % 3u]; "
            f"a{n}: {{ {self.block(depth)} }} goto n{n}; b{n}: {{ {self.block(depth)} }} goto n{n}; e{n}: mix(k{n}); }}"
        )

    def dynamic(self, depth: int) -> str:
        self.count += 1
        n, size = self.count, f"({self.value('u32')} & 63u) + 1u"
        choices = [
            f"u32 n{n} = {size}, *a{n} = __builtin_alloca(n{n} * 4);",
            f"_Alignas(64) u32 a{n}[40]; u32 n{n} = 40;",
        ]
        if not self.labels:
            choices.append(f"u32 n{n} = {size}, a{n}[n{n}];")
        memory = self.choose.choice(choices)
        return (
            f"{{ {memory} for (u32 j = 0; j < n{n}; j++) a{n}[j] = j * 5u + local; in = &a{n}[n{n} / 2]; {self.block(depth)} "
            f"for (u32 j = 0; j < n{n}; j++) mix(a{n}[j]); in = &local; }}"
        )

    def main(self) -> str:
        self.names = {}
        lines = ["int main(void) {", "  u32 out = 3;"]
        for s in self.signatures:
            arguments = "".join(f", {self.value(kind)}" for kind in s.parameters)
            lines.append(
                f"  {{ fuel = fuel > 0 ? fuel : 50; {s.result} r = {s.name}(6, &out{arguments}); {self.add(s.result, 'r')} }}"
            )
            lines.append('  printf("%lx %x\\n", sum, out);')
        return "\n".join([*lines, "  return (int)(sum & 63);", "}\n"])


def generate(seed: int) -> str:
    """The program of a seed."""
    return Generator(random.Random(seed)).program()
