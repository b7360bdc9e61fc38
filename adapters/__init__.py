"""Other methods and toolkits with GRAD's interface, and GRAD with the toolkits' interfaces.

One file or folder for each toolkit, which is imported in it only: importing this package loads none.
"""
