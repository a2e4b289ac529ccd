"""How a page stays true while it stands open (DESIGN §7): it polls with what it shows, and gets what is different.

A view is what such a page shows, as parts. It is read once for all who look at the same; each of its parts is rendered
once for all who read the same language and have the same rights. What a viewer gets beyond that is only the token of
their own forms.
"""
