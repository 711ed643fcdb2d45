"""Step 46 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 46) % 1000003
