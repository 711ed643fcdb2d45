// Go for unum's C interface. The path names no host: see README.md.
module unum.invalid/workflows

go 1.19
