"""Step 73 of the chain."""


def lambda_handler(event, context):
    return (event * 31 + 73) % 1000003
