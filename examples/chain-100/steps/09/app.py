"""Step 9 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 9) % 1000003
