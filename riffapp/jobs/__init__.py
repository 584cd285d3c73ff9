"""Work that goes on behind the page: a queue in a file, and one process that takes from it.

task      what is to be made: a frozen dataclass with `perform(desk)` (tasks/)
store     the queue: who asked for what, and how far it is
worker    the process that performs tasks in turn, one model in memory (desk: what they get)
keeper    starts that process, and starts it again when it dies
"""
