"""The resource of the interface `accounts`; componentize-py looks for it in a module of the interface's name."""

from wit_world.exports import accounts


class Account(accounts.Account):
    def __init__(self, owner):
        self.name = owner

    def owner(self):
        return self.name
