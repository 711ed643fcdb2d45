"""Step 18 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 18) % 1000003
