"""Every way to fill a hole, one file each, all of one shape (`demask.types.Restorer`)."""
