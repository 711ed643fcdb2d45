"""Step 17 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 17) % 1000003
