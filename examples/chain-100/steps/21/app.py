"""Step 21 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 21) % 1000003
