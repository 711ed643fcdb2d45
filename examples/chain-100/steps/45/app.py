"""Step 45 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 45) % 1000003
