"""Step 3 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 3) % 1000003
