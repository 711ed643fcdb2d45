"""Step 66 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 66) % 1000003
