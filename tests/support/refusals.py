"""What bad data are refused for."""

from __future__ import annotations

CASES = {
    "an unknown key, with the nearest known one": ("unknown_keys", "did you mean `memory`"),
    "a wrong type": ("wrong_types", "not a hash"),
    "a user that does not exist and is not managed": ("users_that_do_not_exist", "no user 'ap'"),
    "a group that does not exist and is not managed": ("", ""),
    "a name with a slash": ("names", "holds a slash"),
    "a name with a leading dot": ("names", "starts with a dot"),
    "two services with one directory": ("one_place_for_two", "the same service directory"),
    "a user and a nested tree of one name": ("one_place_for_two", "has that name too"),
    "a one-shot that is to restart": ("contradictions", "a one-shot stays down"),
    "a key that YAML reads as no string": ("names", "services.false"),
    "`N` not less than `n`": ("logs_that_svlogd_would_misread", "is not less than keep"),
    "a pattern that svlogd would misread": ("logs_that_svlogd_would_misread", "filters.2"),
    "a size that svlogd would misread": ("what_could_never_work", "log.size"),
    "a path outside its root": ("places_and_circles", "lies outside the user's directory"),
    "a circle of services that wait for each other": ("circles", "tree -> tree/leaf -> uncle -> tree"),
    "a circle of services that restart each other": ("circles", "restart each other: a -> b -> c -> a"),
    "a template that does not render": ("materials", "'prot' is undefined"),
    "a template that has no end, or takes all memory": ("", ""),
    "a template of one's own that gives no script that runs": ("", ""),
    "a script without a shebang": ("scripts", "without a shebang"),
    "a script with a shell syntax error": ("", ""),
    "lines that would take in what the script says next": ("", ""),
    "a limit above the hard one": ("", ""),
    "a max size not above the line length": ("logs_that_svlogd_would_misread", "not above the line length"),
    "a home that is a symlink or world-writable": ("", ""),
    "NUL bytes": ("nul_bytes", "command.0"),
    "invalid UTF-8": ("invalid_utf8", "not UTF-8"),
    "a mode or a number that YAML reads as another": ("numbers_that_are_others", "0644 is the number 420"),
    "a mode that who handed the data on read as octal": ("numbers_that_are_others", "not 493"),
    "a secret where others could read it": ("", ""),
    "what a process without root may not": ("what_only_root_may", "only root may"),
    "a requirement that is in another run level": ("what_could_never_work", "not in the run level"),
}
"""What is wrong: the data of tests/golden/refusals and a part of the message, or nothing where a test's mark `shows` says it."""
