"""Step 67 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 67) % 1000003
