"""All slopes of the line, in order."""


def lambda_handler(event, context):
    climbs = [slope["climb"] for slope in event]
    return {
        "slopes": ["{from}-{to} {climb:+d}".format(**slope) for slope in event],
        "up": sum(climb for climb in climbs if climb > 0),
        "down": -sum(climb for climb in climbs if climb < 0),
    }
