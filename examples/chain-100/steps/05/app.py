"""Step 5 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 5) % 1000003
