"""The user code of generated functions: few, deterministic, the same as in order_driver.cpp.

A behaviour is a list: its name and its arguments. Values are integers, strings without digits, null
and lists of these.
"""


class UserFailure(Exception):
    """The user's code raises."""


def total(value):
    """The sum of all integers, however deep they stand."""
    if isinstance(value, list):
        return sum(map(total, value))
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def run_code(behaviour, value):
    name, *arguments = behaviour
    if name == "identity":
        return value
    if name == "constant":
        return arguments[0]
    if name == "length":
        return len(value) if isinstance(value, list) else 1
    if name == "sum":
        return total(value)
    if name == "plus":
        return total(value) + arguments[0]
    if name == "remainder":
        return total(value) % arguments[0]
    if name == "copies":
        return [value] * arguments[0]
    if name == "spread":  # unequal widths: as many elements as the sum says
        first = total(value)
        return [first + step for step in range(first % arguments[0])]
    if name == "item":
        if not isinstance(value, list) or len(value) <= arguments[0]:
            raise UserFailure("there is no such element")
        return value[arguments[0]]
    raise ValueError(f"no behaviour {name}")
