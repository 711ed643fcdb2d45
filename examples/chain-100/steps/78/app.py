"""Step 78 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 78) % 1000003
