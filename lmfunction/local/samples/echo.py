"""Gives the event back."""


def handler(event, context):
    return event
