package org.apache.hadoop.io;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Stands in for Hadoop's class of this name, which refuses to work without libhadoop.so on a secured cluster; that library
 * is in no published jar. The owner of a file is not checked: containers of all users run as one user of the operating system.
 */
public class SecureIOUtils {
  public static RandomAccessFile openForRandomRead(File f, String mode, String owner, String group) throws IOException {
    return new RandomAccessFile(f, mode);
  }

  public static FSDataInputStream openFSDataInputStream(File f, String owner, String group) throws IOException {
    return FileSystem.getLocal(new Configuration()).getRaw().open(new Path(f.getAbsolutePath()));
  }

  public static FileInputStream openForRead(File f, String owner, String group) throws IOException {
    return new FileInputStream(f);
  }

  public static FileOutputStream createForWrite(File f, int permissions) throws IOException {
    if (!f.createNewFile()) {
      throw new AlreadyExistsException("File " + f + " already exists");
    }
    return new FileOutputStream(f);
  }

  public static class AlreadyExistsException extends IOException {
    public AlreadyExistsException(String message) {
      super(message);
    }

    public AlreadyExistsException(Throwable cause) {
      super(cause);
    }
  }
}
