"""Step 40 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 40) % 1000003
