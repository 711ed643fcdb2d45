"""Step 22 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 22) % 1000003
