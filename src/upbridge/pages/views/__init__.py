"""What the pages show, read from the tables and ready to be put into words. Nothing here changes anything.

One module per page. Every query takes the shop, and none of them is open to another one's id.
"""
