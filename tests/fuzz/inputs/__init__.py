"""The inputs of each fuzz target that are worth keeping, by name: a module each, whose inputs() gives pairs."""

LARGEST = 4096

# Names that a reader must not take for a file beside it, and some that are odd but harmless.
FILE_NAMES = [
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a/b",
    "a/../b",
    "..\\x",
    "a\\b",
    "\\\\host\\x",
    "C:\\x",
    "C:/x",
    "./a",
    "a/",
    "a//b",
    ".hidden",
    "a\0b",
    "a\nb",
    "",
    "%2e%2e/x",
    "\u2025/x",
    "\uff0e\uff0e/x",
    "...",
    "~/x",
    "file:///x",
    "a" * 256,
]
