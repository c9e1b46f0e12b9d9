# Runs a program so that it may make those calls to the kernel alone whose names are given; all others fail with EPERM:
#   python3 seccomp.py NAME,NAME,… PROGRAM ARGUMENT…
import errno
import os
import sys

import seccomp

names, *program = sys.argv[1:]
allowed = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
for name in names.split(","):
    try:
        allowed.add_rule(seccomp.ALLOW, name)
    except (RuntimeError, ValueError):
        # This machine has no call of that name.
        pass
allowed.load()
os.execvp(program[0], program)
