"""Step 33 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 33) % 1000003
