"""Step 77 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 77) % 1000003
