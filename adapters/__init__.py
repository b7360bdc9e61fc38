"""Everything that is not GRAD, made to look like GRAD, and GRAD made to look like theirs.

One file or folder for each outside thing. The toolkit is imported inside it only, so importing this
package loads none of them.
"""
