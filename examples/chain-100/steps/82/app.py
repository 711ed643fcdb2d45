"""Step 82 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 82) % 1000003
