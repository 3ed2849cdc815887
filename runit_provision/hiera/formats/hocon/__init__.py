"""HOCON: the library `hocon-parser` reads the text, its substitutions are resolved here."""
